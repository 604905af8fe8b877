"""Protocol servers and MQTT devices with their own encoders."""
