"""Does one iteration: a second of pretended work, then the counter goes down by one."""

import time


def main(event, context):
    time.sleep(1)
    return {"counter": event["counter"] - 1}
