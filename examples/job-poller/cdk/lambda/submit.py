"""Takes a job by its id and says that it is done; an input without an id raises KeyError."""


def main(event, context):
    return {
        "id": event["id"],
        "status": "SUCCEEDED",
        "lambdaResult": {"message": "Hello Hai Tran "},
    }
