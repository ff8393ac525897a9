"""What Spark would make of a contract's datetime patterns and SQL, known without starting it."""
