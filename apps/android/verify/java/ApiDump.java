import java.io.File;
import java.util.ServiceLoader;
import java.util.List;
import java.util.Set;
import org.jetbrains.kotlin.abi.tools.AbiFilters;
import org.jetbrains.kotlin.abi.tools.AbiToolsFactory;

/** Prints the public API of a jar, as Kotlin's own tool writes it. */
class ApiDump {
    public static void main(String[] arguments) {
        AbiToolsFactory factory = ServiceLoader.load(AbiToolsFactory.class).iterator().next();
        AbiFilters all = new AbiFilters(Set.of(), Set.of(), Set.of(), Set.of());
        StringBuilder dump = new StringBuilder();
        factory.get().printJvmDump(dump, List.of(new File(arguments[0])), all);
        System.out.print(dump);
    }
}
