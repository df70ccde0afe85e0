"""Descriptions of devices and presets, laid out as the models of hwsim."""
