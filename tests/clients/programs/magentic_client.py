import sys

from magentic import OpenaiChatModel, StreamedStr, prompt, prompt_chain
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


model = OpenaiChatModel("gpt-oss")

match sys.argv[1]:
    case "plain":

        @prompt("What is the capital of Peru?", model=model)
        def capital() -> str: ...

        print(capital())
    case "stream":

        @prompt("What is the capital of Peru?", model=model)
        def streamed_capital() -> StreamedStr: ...

        for text in streamed_capital():
            print(text, end="")
    case "tools":

        @prompt_chain("What is the weather in Oslo?", functions=[get_weather], model=model)
        def forecast() -> str: ...

        print(forecast())
    case "structured":

        @prompt("Invent a dog", model=model)
        def dog() -> Dog: ...

        print(dog().name, dog().age)
