"""The site in the words of others: Project Haystack and Brick."""
