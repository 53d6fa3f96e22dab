import java.nio.file.Files;
import java.nio.file.Path;
import org.jetbrains.dokka.DokkaBootstrapImpl;

/** Runs Dokka with a configuration in JSON; errors go to standard output. */
class Document {
    public static void main(String[] arguments) throws Throwable {
        DokkaBootstrapImpl dokka = new DokkaBootstrapImpl();
        dokka.configure(Files.readString(Path.of(arguments[0])), (level, message) -> {
            if (!level.equals("DEBUG") && !level.equals("INFO") && !level.equals("PROGRESS")) {
                System.out.println(level + ": " + message);
            }
        });
        dokka.generate();
    }
}
