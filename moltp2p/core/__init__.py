"""The data: records, keys, bytes. No I/O, no clock, no dice."""
