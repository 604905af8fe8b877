"""MQTT client on the event loop: JSON paths and LoRaWAN payloads."""
