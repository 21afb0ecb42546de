"""The benchmark's agent as a separate deployment: `python -m bench.ours.agent`."""

from bench.contract import bench
from switchboard import serve

if __name__ == "__main__":
    serve(bench)
