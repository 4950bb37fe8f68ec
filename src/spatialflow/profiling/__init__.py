"""Where the time of a prediction goes, and what it costs in operations and memory."""
