"""The HTTP door, for those without a Kafka client. pipeline.py tells the way of a request."""
