"""Example applications that use otelkit."""
