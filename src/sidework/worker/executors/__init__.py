"""Where user code runs: on the loop, in threads, in processes. Each executor has one method, `run(attempt)`."""
