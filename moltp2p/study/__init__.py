"""What researchers take home: datasets, and statistics, of what a node holds."""
