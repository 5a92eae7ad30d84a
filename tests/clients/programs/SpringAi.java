import org.springframework.ai.chat.client.ChatClient;
import org.springframework.ai.openai.OpenAiChatModel;
import org.springframework.ai.openai.OpenAiChatOptions;
import org.springframework.ai.openai.api.OpenAiApi;
import org.springframework.ai.tool.annotation.Tool;

public class SpringAi {
    record Dog(String name, int age) {}

    public static class Weather {
        @Tool(description = "The weather in a city")
        public String get_weather(String city) {
            return "Sunny in " + city;
        }
    }

    public static void main(String[] arguments) {
        var api = OpenAiApi.builder()
            .baseUrl(System.getenv("OPENAI_BASE_URL").replaceAll("/v1$", ""))
            .apiKey("any")
            .build();
        var options = OpenAiChatOptions.builder().model("gpt-oss").build();
        var client = ChatClient.create(OpenAiChatModel.builder().openAiApi(api).defaultOptions(options).build());
        var question = client.prompt("What is the capital of Peru?");
        switch (arguments[0]) {
            case "plain" -> System.out.println(question.call().content());
            case "stream" -> question.stream().content().doOnNext(System.out::print).blockLast();
            case "tools" ->
                System.out.println(client.prompt("What is the weather in Oslo?").tools(new Weather()).call().content());
            case "structured" -> {
                var dog = client.prompt("Invent a dog").call().entity(Dog.class);
                System.out.println(dog.name() + " " + dog.age());
            }
        }
        System.exit(0);
    }
}
