"""Run the service: `python -m examples.codegen_service --port 8000`."""

from __future__ import annotations

import argparse

import uvicorn


def main() -> None:
    parser = argparse.ArgumentParser(description="Generates SQLAlchemy models with agents.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    args = parser.parse_args()
    config = uvicorn.Config(f"{__package__}.app:app", host=args.host, port=args.port)
    listener = config.bind_socket()
    port = listener.getsockname()[1]
    print(f"codegen service on http://{args.host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
