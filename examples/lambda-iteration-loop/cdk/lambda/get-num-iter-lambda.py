"""Says how many iterations there are to do, whatever the input is."""


def main(event, context):
    return {"counter": 10}
