"""Schedules: bookings of venues, from files and iCalendar feeds."""
