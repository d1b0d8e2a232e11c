"""What the demonstration server begins with: accounts, groups, letters and articles."""
