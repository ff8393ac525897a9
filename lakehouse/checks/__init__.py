"""What can be known of a contract without Spark: patterns, SQL, functions, odd values; pure."""
