import asyncio
import os
import sys
from typing import Annotated

from pydantic import BaseModel
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.functions import KernelArguments, kernel_function


class Dog(BaseModel):
    name: str
    age: int


class Weather:
    @kernel_function(name="get_weather", description="The weather in a city")
    def get_weather(self, city: Annotated[str, "The city"]) -> str:
        return f"Sunny in {city}"


async def main(case: str) -> None:
    os.environ.pop("OPENAI_API_BASE", None)
    service = OpenAIChatCompletion(ai_model_id="gpt-oss", api_key="any")
    agent = ChatCompletionAgent(service=service, name="Assistant")
    question = "What is the capital of Peru?"
    match case:
        case "plain":
            print((await agent.get_response(question)).content)
        case "stream":
            async for chunk in agent.invoke_stream(question):
                print(chunk.content, end="")
        case "tools":
            agent = ChatCompletionAgent(service=service, name="Assistant", plugins=[Weather()])
            print((await agent.get_response("What is the weather in Oslo?")).content)
        case "structured":
            settings = OpenAIChatPromptExecutionSettings(response_format=Dog)
            agent = ChatCompletionAgent(
                service=service, name="Assistant", arguments=KernelArguments(settings)
            )
            dog = Dog.model_validate_json(str((await agent.get_response("Invent a dog")).content))
            print(dog.name, dog.age)


asyncio.run(main(sys.argv[1]))
