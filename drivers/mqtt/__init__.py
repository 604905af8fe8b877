"""MQTT: devices that report by themselves, as JSON or as LoRaWAN bytes through ChirpStack."""
