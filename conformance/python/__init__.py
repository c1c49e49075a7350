"""confluent-kafka, aiokafka and kafka-python: the scenarios once, over the adapters that the tests use too."""
