import os
import sys

from smolagents import OpenAIServerModel, ToolCallingAgent, tool


@tool
def get_weather(city: str) -> str:
    """The weather in a city

    Args:
        city: The city
    """
    return f"Sunny in {city}"


model = OpenAIServerModel("gpt-oss", api_base=os.environ["OPENAI_BASE_URL"], api_key="any")
question = [{"role": "user", "content": [{"type": "text", "text": "What is the capital of Peru?"}]}]

match sys.argv[1]:
    case "plain":
        print(model.generate(question).content)
    case "stream":
        for delta in model.generate_stream(question):
            print(delta.content or "", end="")
    case "tools":
        print(ToolCallingAgent([get_weather], model).run("What is the weather in Oslo?"))
