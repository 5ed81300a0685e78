"""What others offer, measured beside this project."""
