import asyncio
import os
import sys

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ThinkingBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


llm = OpenAILike(
    model="gpt-oss",
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key="any",
    is_chat_model=True,
    is_function_calling_model=True,
)
question = [ChatMessage("What is the capital of Peru?")]


async def ask_agent() -> str:
    return str(await FunctionAgent(tools=[get_weather], llm=llm).run("What is the weather in Oslo?"))


match sys.argv[1]:
    case "plain":
        print(llm.chat(question).message.content)
    case "stream":
        for chunk in llm.stream_chat(question):
            print(chunk.delta, end="")
    case "tools":
        print(asyncio.run(ask_agent()))
    case "structured":
        dog = llm.structured_predict(Dog, PromptTemplate("Invent a dog"))
        print(dog.name, dog.age)
    case "reasoning":
        blocks = llm.chat(question).message.blocks
        print(next(block.content for block in blocks if isinstance(block, ThinkingBlock)))
