package org.tfminilm

import kotlin.math.abs
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * Checks what a manifest says, and how its parts belong together.
 *
 * The exporter has the same rules (`rules.py`), and both are tested by the
 * cases of `tests/export/manifest_cases.json`.
 */
internal object ManifestRules {
    private const val MOST_TOKENS = 1_000_000L
    private const val MOST_REAL = 1e30 // A float holds it.
    private const val MOST_LETTERS = 10_000 // Of a text for people.
    private const val MOST_OF_NAME = 1_000
    private const val MOST_LABELS = 10_000
    private const val MOST_SIGNATURES = 64
    private const val MOST_NAMES = 100 // Of anything else.
    private const val MOST_AXES = 8
    private val INPUTS = setOf("token_ids", "segment_ids", "padding_mask")
    private val SPECIAL = listOf("cls", "sep", "pad", "unk")
    private val LIBRARIES = listOf("tensorflow-lite", "ai-edge-litert")
    private val QUESTIONS = listOf("document_stride", "max_question_tokens", "max_answer_tokens")
    private val PLAIN_NAME = Regex("[A-Za-z0-9_][A-Za-z0-9_.-]*")
    private val VERSION = Regex("[0-9]+\\.[0-9]+\\.[0-9]+")
    private val DIGEST = Regex("[0-9a-f]{64}")
    private val INDICATOR = Regex("[!-~]{1,16}")

    private val TAG = Regex("O|[BIELSU]-\\S.*", RegexOption.DOT_MATCHES_ALL)
    private val POOLINGS = setOf("mean", "cls")
    private val SCHEMES = setOf("bio", "bilou", "bioes")
    private val ACTIVATIONS = setOf("linear", "sigmoid")

    /** @throws JSONException a rule is broken; it names the place. */
    fun check(json: JSONObject) {
        val all = Part(json, "")
        val task = task(all)
        all.word("precision", MOST_OF_NAME)
        all.word("description", MOST_LETTERS)
        all.whole("num_texts", 1L..2L)
        val model = all.part("model")
        val rows = model.whole("vocabulary_size", 1L..Int.MAX_VALUE)
        model.whole("parameters", 1L..1_000_000_000_000_000L)
        checkFiles(all)
        val width = checkLabels(all, task)
        checkTokenizer(all.part("tokenizer"), rows)
        val lengths = all.part("signatures").parts(MOST_SIGNATURES).map { checkSignature(it, task, width) }
        if (lengths.isEmpty() || lengths.toSet().size < lengths.size) {
            fail("signatures has none, or one length twice")
        }
        checkQuestions(all, task, lengths.max())
        checkKind(all, task, width)
        if (all.has("calibration")) checkCalibration(all.part("calibration"))
        checkProbe(all, task, rows, lengths.max(), width)
        checkRuntimes(all.part("runtimes"))
    }

    private fun task(all: Part): TaskKind {
        val id = all.word("task")
        val task = TaskKind.values().find { it.id == id }
            ?: fail("task is \"$id\"; this app knows ${TaskKind.values().joinToString { it.id }}")
        if ((all.wordOrNull("task_name", MOST_OF_NAME) == null) != (task == TaskKind.ENCODER)) {
            fail("task_name is not text of a task, and null of an encoder")
        }
        return task
    }

    private fun checkFiles(all: Part) {
        val files = all.part("files")
        for (file in files.parts(MOST_NAMES)) {
            if (!PLAIN_NAME.matches(file.name)) fail("\"${file.name}\" is no name of a file")
            file.whole("bytes", 1L..(1L shl 40))
            if (!DIGEST.matches(file.word("sha256"))) fail("${file.at("sha256")} is no SHA-256")
        }
        for (name in listOf(BundleManifest.MODEL, all.part("tokenizer").word("vocabulary"))) {
            if (!files.has(name)) fail("it has no checksum of $name")
        }
    }

    /** How many numbers an output has that belongs to no token; 0 for what the model says. */
    private fun checkLabels(all: Part, task: TaskKind): Int {
        val labels = all.listOrNull("labels")
        if ((labels == null) == task.hasClasses) {
            fail("labels is not a list of a classification, and null of others")
        }
        if (labels == null) return if (task == TaskKind.ENCODER) embeddingWidth(all) else 1
        val words = (0 until labels.length()).map {
            labels.get(it) as? String ?: fail("labels[$it] is no text")
        }
        if (words.isEmpty() || words.toSet().size < words.size) {
            fail("labels has none, or one of them twice")
        }
        if (words.size > MOST_LABELS || words.any { it.length > MOST_OF_NAME }) {
            fail("the size of labels is ${words.size}, or one is too long")
        }
        if (task == TaskKind.TOKEN_CLASSIFICATION) {
            words.find { !TAG.matches(it) }?.let { fail("labels has \"$it\", which is no tag") }
        }
        return words.size
    }

    private fun embeddingWidth(all: Part): Int {
        val first = all.part("signatures").parts(MOST_SIGNATURES).firstOrNull()
            ?: fail("signatures has none, or one length twice")
        val shape = first.part("outputs").part("sentence_embedding").list("shape")
        return if (shape.length() == 0) 1 else maxOf(1, shape.optInt(shape.length() - 1))
    }

    private fun checkTokenizer(tokenizer: Part, rows: Long) {
        val kind = tokenizer.word("kind")
        when (kind) {
            "wordpiece" -> {
                tokenizer.truth("lowercase")
                tokenizer.truth("strip_accents")
                val indicator = tokenizer.word("suffix_indicator")
                if (!INDICATOR.matches(indicator)) {
                    fail("${tokenizer.at("suffix_indicator")} is not 1 to 16 of ASCII's signs")
                }
                val between = "separators_between_texts"
                if (tokenizer.has(between)) tokenizer.whole(between, 1L..2L)
                val rules = tokenizer.word("rules")
                if (WordRules.values().none { it.id == rules }) {
                    val known = WordRules.values().joinToString { it.id }
                    fail("${tokenizer.at("rules")} is \"$rules\"; this app knows $known")
                }
            }
            "sentencepiece" -> {
                tokenizer.whole("id_offset", 0L..1000L)
                tokenizer.whole("separators_between_texts", 1L..2L)
            }
            else -> fail(
                "${tokenizer.at("kind")} is \"$kind\"; this app knows wordpiece and sentencepiece",
            )
        }
        val special = tokenizer.part("special_ids")
        for (name in special.names(MOST_NAMES) + SPECIAL) special.whole(name, 0L until rows)
    }

    private fun checkSignature(signature: Part, task: TaskKind, width: Int): Long {
        val length = signature.whole("length", 1L..MOST_TOKENS)
        val inputs = signature.part("inputs")
        if (!inputs.has("token_ids")) fail("${inputs.at("token_ids")} is missing")
        for (tensor in inputs.parts(MOST_NAMES)) {
            if (tensor.name !in INPUTS) fail("${tensor.place} is no input that this app knows")
            checkTensor(tensor, "int32", listOf(1L, length))
        }
        val outputs = signature.part("outputs")
        for (tensor in outputs.parts(MOST_NAMES)) checkTensor(tensor, "float32", checkSizes(tensor))
        for (name in task.outputs) {
            val shape = when (task) {
                TaskKind.QUESTION_ANSWERING -> listOf(1L, length)
                TaskKind.TOKEN_CLASSIFICATION -> listOf(1L, length, width.toLong())
                else -> listOf(1L, width.toLong())
            }
            checkTensor(outputs.part(name), "float32", shape)
        }
        return length
    }

    private fun checkSizes(tensor: Part): List<Long> {
        val shape = tensor.list("shape")
        if (shape.length() > MOST_AXES) fail("${tensor.at("shape")} has ${shape.length()} sizes")
        return (0 until shape.length()).map {
            wholeOrNull(shape.get(it))?.takeIf { size -> size in 1..Int.MAX_VALUE }
                ?: fail("${tensor.at("shape")}[$it] is no size")
        }
    }

    private fun checkTensor(tensor: Part, kind: String, expected: List<Long>) {
        if (tensor.word("dtype") != kind) fail("${tensor.at("dtype")} is not $kind")
        val sizes = checkSizes(tensor)
        if (sizes != expected) fail("${tensor.at("shape")} is $sizes, expected $expected")
    }

    private fun checkQuestions(all: Part, task: TaskKind, longest: Long) {
        val questions = all.partOrNull("question_answering")
        if ((questions != null) != (task == TaskKind.QUESTION_ANSWERING)) {
            fail("question_answering is ${if (questions == null) "null" else "given"}, of ${task.id}")
        }
        if (questions == null) return
        if (all.whole("num_texts", 1L..2L) != 2L) fail("num_texts is 1, expected 2 of questions")
        for (name in QUESTIONS) questions.whole(name, 1L..MOST_TOKENS)
        if (!questions.isNull("null_threshold") && abs(questions.real("null_threshold")) > MOST_REAL) {
            fail("${questions.at("null_threshold")} is too large")
        }
        val tokenizer = all.part("tokenizer")
        val name = "separators_between_texts"
        val between = if (tokenizer.has(name)) tokenizer.whole(name, 1L..2L) else 1L
        val taken = questions.whole("max_question_tokens", 1L..MOST_TOKENS) + 2 + between
        if (taken >= longest) {
            fail("a question may take $taken of $longest tokens, which leaves no room for a text")
        }
    }

    /** What is said of one kind of model alone. */
    private fun checkKind(all: Part, task: TaskKind, width: Int) {
        if (all.has("sentence_embedding")) {
            val embedding = all.part("sentence_embedding")
            embedding.choice("pooling", POOLINGS)
            embedding.truth("normalize")
            if (embedding.has("prompt")) {
                if (embedding.word("prompt", MOST_LETTERS).isEmpty()) fail("${embedding.at("prompt")} is empty")
            }
        }
        if (all.has("score_activation")) all.choice("score_activation", ACTIVATIONS)
        if (task == TaskKind.TOKEN_CLASSIFICATION) {
            all.part("token_classification").choice("scheme", SCHEMES)
        }
        if (task != TaskKind.MULTI_LABEL_CLASSIFICATION) return
        val part = all.part("multi_label_classification")
        val thresholds = part.list("thresholds")
        if (thresholds.length() != width) {
            fail("${part.at("thresholds")} has ${thresholds.length()} numbers, expected $width")
        }
        for (at in 0 until width) {
            val value = (thresholds.get(at) as? Number)?.toDouble() ?: Double.NaN
            if (value !in 0.0..1.0) fail("${part.at("thresholds")}[$at] is $value, expected 0 to 1")
        }
    }

    private fun checkCalibration(calibration: Part) {
        val temperature = calibration.real("temperature")
        if (!(temperature > 0 && temperature <= MOST_REAL)) {
            fail("${calibration.at("temperature")} is $temperature, expected above 0")
        }
        if (calibration.isNull("unsure_below")) return
        val least = calibration.real("unsure_below")
        if (least !in 0.0..1.0) fail("${calibration.at("unsure_below")} is $least, expected 0 to 1")
    }

    private fun checkProbe(all: Part, task: TaskKind, rows: Long, longest: Long, width: Int) {
        val probe = all.part("probe")
        val tolerance = probe.real("tolerance")
        if (!(tolerance > 0 && tolerance <= MOST_REAL)) fail("${probe.at("tolerance")} is $tolerance")
        val answers = probe.list("rows")
        if (answers.length() !in 2..64) fail("probe.rows has ${answers.length()}, expected 2 to 64")
        for (index in 0 until answers.length()) {
            val place = "probe.rows[$index]"
            val json = answers.get(index) as? JSONObject ?: fail("$place is no object")
            checkRow(Part(json, place), task, rows, longest, width)
        }
    }

    private fun checkRow(row: Part, task: TaskKind, rows: Long, longest: Long, width: Int) {
        val size = checkIds(row, "token_ids", rows)
        if (size !in 1..longest) fail("${row.at("token_ids")} has $size, expected 1 to $longest")
        if (row.has("segment_ids") && checkIds(row, "segment_ids", 2) != size) {
            fail("${row.at("segment_ids")} has another size")
        }
        val outputs = row.part("outputs")
        if (outputs.names(MOST_NAMES).toSet() != task.outputs) {
            fail("${row.at("outputs")} are not ${task.outputs.joinToString(" and ")}")
        }
        for (name in task.outputs) {
            val values = outputs.list(name)
            val expected = when (task) {
                TaskKind.QUESTION_ANSWERING -> size
                TaskKind.TOKEN_CLASSIFICATION -> size * width
                else -> width
            }
            if (values.length() != expected) {
                fail("${outputs.at(name)} has ${values.length()} numbers, expected $expected")
            }
            for (at in 0 until expected) {
                val value = (values.get(at) as? Number)?.toDouble() ?: Double.NaN
                if (!(abs(value) <= MOST_REAL)) fail("${outputs.at(name)}[$at] is no such number")
            }
        }
    }

    private fun checkIds(row: Part, name: String, count: Long): Int {
        val ids = row.list(name)
        for (at in 0 until ids.length()) {
            val id = wholeOrNull(ids.get(at))
            if (id == null || id !in 0 until count) {
                fail("${row.at(name)}[$at] is ${ids.get(at)}, expected 0 to ${count - 1}")
            }
        }
        return ids.length()
    }

    private fun checkRuntimes(runtimes: Part) {
        for (name in LIBRARIES) if (!runtimes.has(name)) fail("${runtimes.at(name)} is missing")
        for (name in runtimes.names(MOST_NAMES)) {
            val version = runtimes.wordOrNull(name) ?: continue
            if (!VERSION.matches(version)) fail("${runtimes.at(name)} is \"$version\", no version")
        }
    }

    private fun wholeOrNull(value: Any?): Long? = when (value) {
        is Int -> value.toLong()
        is Long -> value
        else -> null
    }

    private fun fail(fault: String): Nothing = throw JSONException(fault)

    /** An object of the manifest, and where it is. */
    private class Part(private val json: JSONObject, val place: String, val name: String = "") {
        fun at(name: String) = if (place.isEmpty()) name else "$place.$name"

        fun has(name: String) = json.has(name)

        fun isNull(name: String) = value(name) == JSONObject.NULL

        fun names(most: Int): List<String> {
            val names = json.keys().asSequence().toList()
            if (names.size > most) fail("the size of $place is ${names.size}, expected up to $most")
            names.find { it.length > MOST_OF_NAME }?.let { fail("$place has a name of ${it.length} letters") }
            return names
        }

        fun parts(most: Int): List<Part> = names(most).map(::part)

        fun word(name: String, most: Int = Int.MAX_VALUE) = wordOrNull(name, most) ?: wrong(name, "text")

        fun wordOrNull(name: String, most: Int = Int.MAX_VALUE): String? {
            val word: String? = of(name, "text")
            val size = word?.length ?: 0
            if (size > most) fail("the size of ${at(name)} is $size, expected up to $most")
            return word
        }

        fun choice(name: String, choices: Set<String>) {
            if (word(name) !in choices) wrong(name, choices.joinToString(" or "))
        }

        fun truth(name: String): Boolean = of(name, "true or false") ?: wrong(name, "true or false")

        fun list(name: String) = listOrNull(name) ?: wrong(name, "a list")

        fun listOrNull(name: String): JSONArray? = of(name, "a list")

        fun part(name: String) = partOrNull(name) ?: wrong(name, "an object")

        fun partOrNull(name: String): Part? =
            of<JSONObject>(name, "an object")?.let { Part(it, at(name), name) }

        fun real(name: String): Double {
            val value = of<Number>(name, "a number") ?: wrong(name, "a number")
            return value.toDouble().takeIf { it.isFinite() } ?: wrong(name, "a finite number")
        }

        fun whole(name: String, range: LongRange): Long {
            val expected = "${range.first} to ${range.last}"
            return wholeOrNull(value(name))?.takeIf { it in range } ?: wrong(name, expected)
        }

        /** Null for null. */
        private inline fun <reified T> of(name: String, expected: String): T? {
            val value = value(name)
            return if (value == JSONObject.NULL) null else value as? T ?: wrong(name, expected)
        }

        private fun value(name: String): Any {
            if (!json.has(name)) fail("${at(name)} is missing")
            return json.get(name)
        }

        private fun wrong(name: String, expected: String): Nothing =
            fail("${at(name)} is ${json.get(name).toString().take(60)}, expected $expected")
    }
}
