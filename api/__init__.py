"""What every API family shares: JSON in and out, strict fields, keyset pages, filters."""
