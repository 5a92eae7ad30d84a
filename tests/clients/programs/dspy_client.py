import os
import sys

import dspy


class Invention(dspy.Signature):
    "Invent an animal."

    request: str = dspy.InputField()
    name: str = dspy.OutputField()
    age: int = dspy.OutputField()


model = dspy.LM("openai/gpt-oss", api_base=os.environ["OPENAI_BASE_URL"], api_key="any", cache=False)
dspy.configure(lm=model, adapter=dspy.JSONAdapter())

match sys.argv[1]:
    case "plain":
        print(model("What is the capital of Peru?")[0])
    case "structured":
        dog = dspy.Predict(Invention)(request="Invent a dog")
        print(dog.name, dog.age)
