"""The command-line tools of Apache Kafka, each as its shell script starts it."""
