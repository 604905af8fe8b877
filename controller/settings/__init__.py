"""Settings: reads a site's folder into typed objects, and says what is wrong with it."""
