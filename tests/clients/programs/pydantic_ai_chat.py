import sys

from pydantic import BaseModel
from pydantic_ai import Agent, ModelMessage, ModelResponse, ThinkingPart


class Dog(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


def thoughts(messages: list[ModelMessage]) -> str:
    parts = [part for message in messages if isinstance(message, ModelResponse) for part in message.parts]
    return "".join(part.content for part in parts if isinstance(part, ThinkingPart))


MODEL = "openai-chat:gpt-oss"
agent = Agent(MODEL)
question = "What is the capital of Peru?"

match sys.argv[1]:
    case "plain":
        print(agent.run_sync(question).output)
    case "stream":
        for text in agent.run_stream_sync(question).stream_text(delta=True):
            print(text, end="")
    case "tools":
        print(Agent(MODEL, tools=[get_weather]).run_sync("What is the weather in Oslo?").output)
    case "structured":
        dog = Agent(MODEL, output_type=Dog).run_sync("Invent a dog").output
        print(dog.name, dog.age)
    case "reasoning":
        print(thoughts(agent.run_sync(question).all_messages()))
