import java.io.File;
import java.util.List;
import java.util.stream.Stream;
import nextflow.config.control.ConfigParser;
import nextflow.script.control.Compiler;
import nextflow.script.control.ScriptParser;
import org.codehaus.groovy.control.messages.SyntaxErrorMessage;

/** Prints {@code file:line:column: message} for whatever the strict grammar refuses in the files given; exit status 1 if anything. */
class NextflowLint {
    public static void main(String[] paths) {
        var missing = Stream.of(paths).filter(path -> !new File(path).isFile()).toList();
        var scripts = new ScriptParser();
        var configs = new ConfigParser();
        for (var path : paths) {
            if (missing.contains(path)) continue;
            if (path.endsWith(".nf")) scripts.parse(new File(path));
            else configs.parse(new File(path));
        }
        scripts.analyze();
        configs.analyze();
        var refused = Stream.of(scripts.compiler(), configs.compiler()).flatMap(NextflowLint::refusals).toList();
        refused.forEach(System.out::println);
        missing.forEach(path -> System.out.println(path + ": no such file"));
        System.out.println(paths.length + " files, " + (refused.size() + missing.size()) + " errors");
        System.exit(paths.length > 0 && refused.isEmpty() && missing.isEmpty() ? 0 : 1);
    }

    private static Stream<String> refusals(Compiler compiler) {
        return compiler.getSources().values().stream().flatMap(source -> {
            var errors = source.getErrorCollector().getErrors();
            return (errors == null ? List.<Object>of() : List.<Object>copyOf(errors)).stream().map(error ->
                error instanceof SyntaxErrorMessage syntax
                    ? "%s:%d:%d: %s".formatted(source.getName(), syntax.getCause().getStartLine(),
                                               syntax.getCause().getStartColumn(), syntax.getCause().getOriginalMessage())
                    : source.getName() + ": " + error);
        });
    }
}
