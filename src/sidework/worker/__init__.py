"""The running process: a few loops, each a class with run() and run_once(), and the executors of user code."""
