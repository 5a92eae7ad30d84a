import com.fasterxml.jackson.annotation.JsonClassDescription;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.Reasoning;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionToolMessageParam;
import com.openai.models.responses.ResponseCreateParams;

public class OpenaiJava {
    public static class Dog {
        public String name;
        public int age;
    }

    @JsonClassDescription("The weather in a city")
    public static class get_weather {
        public String city;
    }

    static ChatCompletionCreateParams.Builder ask(String text) {
        return ChatCompletionCreateParams.builder().model("gpt-oss").addUserMessage(text);
    }

    public static void main(String[] arguments) {
        OpenAIClient client = OpenAIOkHttpClient.fromEnv();
        var chat = client.chat().completions();
        var question = ask("What is the capital of Peru?");
        switch (arguments[0]) {
            case "plain" ->
                System.out.println(chat.create(question.build()).choices().get(0).message().content().get());
            case "stream" -> {
                try (var stream = chat.createStreaming(question.build())) {
                    stream.stream()
                        .flatMap(chunk -> chunk.choices().stream())
                        .forEach(choice -> System.out.print(choice.delta().content().orElse("")));
                }
            }
            case "tools" -> {
                var builder = ask("What is the weather in Oslo?").addTool(get_weather.class);
                var message = chat.create(builder.build()).choices().get(0).message();
                var call = message.toolCalls().get().get(0).asFunction();
                var city = call.function().arguments(get_weather.class).city;
                builder.addMessage(message).addMessage(
                    ChatCompletionToolMessageParam.builder().toolCallId(call.id()).content("Sunny in " + city).build());
                System.out.println(chat.create(builder.build()).choices().get(0).message().content().get());
            }
            case "structured" -> {
                var params = ask("Invent a dog").responseFormat(Dog.class).build();
                var dog = chat.create(params).choices().get(0).message().content().get();
                System.out.println(dog.name + " " + dog.age);
            }
            case "reasoning" -> {
                var params = ResponseCreateParams.builder()
                    .model("gpt-oss")
                    .input("What is the capital of Peru?")
                    .reasoning(Reasoning.builder().summary(Reasoning.Summary.AUTO).build())
                    .build();
                var item = client.responses().create(params).output().get(0);
                System.out.println(item.asReasoning().summary().get(0).text());
            }
        }
    }
}
