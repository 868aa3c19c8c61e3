"""What a data source raises."""


class DataError(Exception):
    """Input data that cannot be used; the message names the file and the remedy."""
