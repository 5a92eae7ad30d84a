import sys

import instructor
from openai import OpenAI
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


client = instructor.from_openai(OpenAI())

match sys.argv[1]:
    case "structured":
        dog = client.chat.completions.create(
            model="gpt-oss", response_model=Dog, messages=[{"role": "user", "content": "Invent a dog"}]
        )
        print(dog.name, dog.age)
