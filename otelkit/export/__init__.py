"""What leaves the process: queues in front of destinations, OTLP, and an account of every item.

``queue`` takes items in, ``delivery`` brings their batches to an ``exporter`` (``otlp_http``,
``otlp_grpc``, ``console``), ``account`` counts what became of them, ``trouble`` talks about it.
"""
