"""Reports success and hands back what it was given."""


def main(event, context):
    return {"status": "SUCCEEDED", "output": event}
