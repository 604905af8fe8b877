"""Maintenance: works that take equipment out of service, and inspections with their deadlines."""
