"""Drave: Kafka in a `pip install`."""
