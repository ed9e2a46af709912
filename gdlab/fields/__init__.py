"""What a setting is: its type, its range, its name, and how an instance is made of values."""
