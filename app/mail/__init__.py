"""Letters: composed at the last moment, delivered outside any transaction, marked after."""
