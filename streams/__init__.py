"""How data moves: MQTT and recorded history to frames, points to InfluxDB; no physics."""
