import asyncio
import sys

from agents import Agent, ModelSettings, Runner, function_tool, set_tracing_disabled
from openai.types.shared import Reasoning
from pydantic import BaseModel

set_tracing_disabled(True)


class Dog(BaseModel):
    name: str
    age: int


@function_tool
def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


async def main(case: str) -> None:
    agent = Agent(name="Assistant", model="gpt-oss")
    question = "What is the capital of Peru?"
    match case:
        case "plain":
            print((await Runner.run(agent, question)).final_output)
        case "stream":
            run = Runner.run_streamed(agent, question)
            async for event in run.stream_events():
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    print(event.data.delta, end="")
        case "tools":
            agent = Agent(name="Assistant", model="gpt-oss", tools=[get_weather])
            print((await Runner.run(agent, "What is the weather in Oslo?")).final_output)
        case "structured":
            agent = Agent(name="Assistant", model="gpt-oss", output_type=Dog)
            dog = (await Runner.run(agent, "Invent a dog")).final_output
            print(dog.name, dog.age)
        case "reasoning":
            settings = ModelSettings(reasoning=Reasoning(effort="low", summary="auto"))
            run = await Runner.run(
                Agent(name="Assistant", model="gpt-oss", model_settings=settings), question
            )
            print(run.new_items[0].raw_item.summary[0].text)


asyncio.run(main(sys.argv[1]))
