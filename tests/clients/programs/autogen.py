import asyncio
import sys

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ModelFamily, UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


async def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


async def main(case: str) -> None:
    client = OpenAIChatCompletionClient(
        model="gpt-oss",
        model_info={
            "vision": False,
            "function_calling": True,
            "json_output": True,
            "structured_output": True,
            "family": ModelFamily.R1,
        },
    )
    question = [UserMessage(content="What is the capital of Peru?", source="user")]
    match case:
        case "plain":
            print((await client.create(question)).content)
        case "stream":
            async for piece in client.create_stream(question):
                if isinstance(piece, str):
                    print(piece, end="")
        case "tools":
            agent = AssistantAgent("assistant", client, tools=[get_weather], reflect_on_tool_use=True)
            print((await agent.run(task="What is the weather in Oslo?")).messages[-1].content)
        case "structured":
            agent = AssistantAgent("assistant", client, output_content_type=Dog)
            dog = (await agent.run(task="Invent a dog")).messages[-1].content
            print(dog.name, dog.age)
        case "reasoning":
            print((await client.create(question)).thought)


asyncio.run(main(sys.argv[1]))
