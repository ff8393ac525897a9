"""What needs several parts at once: run, doctor, promote, reports."""
