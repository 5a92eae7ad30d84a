import sys

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


model = ChatOpenAI(model="gpt-oss")
question = "What is the capital of Peru?"

match sys.argv[1]:
    case "plain":
        print(model.invoke(question).text)
    case "stream":
        for chunk in model.stream(question):
            print(chunk.text, end="")
    case "tools":
        state = {"messages": [{"role": "user", "content": "What is the weather in Oslo?"}]}
        print(create_agent(model, [get_weather]).invoke(state)["messages"][-1].text)
    case "structured":
        dog = model.with_structured_output(Dog).invoke("Invent a dog")
        print(dog.name, dog.age)
