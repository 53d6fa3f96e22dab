package org.tfminilm

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** What a bundle's model was made for. */
enum class TaskKind(
    val id: String,
    /** What is read of its model. */
    internal val outputs: Set<String>,
    /** Whether it has labels, one for each number of an output. */
    internal val hasClasses: Boolean = false,
) {
    ENCODER("encoder", setOf("sentence_embedding")),
    CLASSIFICATION("classification", setOf("logits"), hasClasses = true),
    MULTI_LABEL_CLASSIFICATION("multi_label_classification", setOf("logits"), hasClasses = true),
    TOKEN_CLASSIFICATION("token_classification", setOf("token_logits"), hasClasses = true),
    REGRESSION("regression", setOf("logits")),
    QUESTION_ANSWERING("question_answering", setOf("start_logits", "end_logits")),
}

/** One way to run the model: all its inputs are int32 `[1, length]`. */
class ModelSignature(
    val name: String,
    val length: Int,
    val inputs: Map<String, IntArray>,
    val outputs: Map<String, IntArray>,
)

/** How the file of a vocabulary is read. */
sealed class TokenizerKind {
    class WordPiece(
        val rules: WordRules,
        val lowercase: Boolean,
        val stripAccents: Boolean,
        val suffixIndicator: String,
    ) : TokenizerKind()

    class SentencePiece(val idOffset: Int) : TokenizerKind()
}

class TokenizerSettings(
    val kind: TokenizerKind,
    val vocabulary: String,
    /** How many [sep] part two texts. */
    val separators: Int,
    val cls: Int,
    val sep: Int,
    val pad: Int,
    val unknown: Int,
)

class QuestionSettings(
    val documentStride: Int,
    val maxQuestionTokens: Int,
    val maxAnswerTokens: Int,
    /** Above it there is no answer; null where every question has one. */
    val nullThreshold: Float?,
)

/** How sure a classifier is, as texts showed that it did not learn from. */
class Calibration(
    /** What the logits were divided by; the model's file does it already. */
    val temperature: Double,
    /** Where the likeliest class has less, the model is not sure; null where it always is. */
    val unsureBelow: Double?,
)

/** Tokens, and the outputs by name that are known for them. */
class KnownAnswer(
    val ids: IntArray,
    val segments: IntArray,
    /** Flat; of outputs with one number a token, those of these tokens. */
    val outputs: Map<String, FloatArray>,
)

/** Known answers, by which a runtime shows that it computes the model rightly. */
class Probe(
    /** How far each number may be from the known one. */
    val tolerance: Float,
    val answers: List<KnownAnswer>,
)

class FileRecord(val bytes: Long, val sha256: String)

/** `manifest.json`, as `tfminilm export` writes it. */
class BundleManifest(
    val task: TaskKind,
    val taskName: String?,
    /** What the model is and what it learned from; the beginning of a long one. */
    val description: String,
    /** How many texts the model reads together, 1 or 2. */
    val texts: Int,
    val labels: List<String>,
    val precision: String,
    val parameters: Long,
    /** Rows of the table of tokens. */
    val tokens: Long,
    /** Shortest first. */
    val signatures: List<ModelSignature>,
    val tokenizer: TokenizerSettings,
    val questions: QuestionSettings?,
    /** From which probability on a text gets each label; null where it gets one of them. */
    val thresholds: DoubleArray?,
    /** What stands in front of every text that an encoder reads; mostly nothing. */
    val prompt: String,
    /** Null where nobody fitted it. */
    val calibration: Calibration?,
    val probe: Probe,
    /** The oldest version of each library that is right; null where none is. */
    val runtimes: Map<String, String?>,
    val files: Map<String, FileRecord>,
) {
    companion object {
        const val FILE = "manifest.json"
        const val MODEL = "model.tflite"
        private const val FORMAT = "tfminilm-bundle"
        private const val FORMAT_VERSION = 2
        private const val MOST_SHOWN = 1000

        /** @throws BundleException it is not a manifest that this code knows. */
        @JvmStatic
        @Throws(BundleException::class)
        fun parse(text: String): BundleManifest = try {
            JsonSyntax(text).check()
            val json = JSONObject(text)
            checkFormat(json)
            ManifestRules.check(json)
            read(json)
        } catch (error: JSONException) {
            throw BundleException("The bundle's manifest is damaged: ${error.message}", error)
        }

        private fun checkFormat(json: JSONObject) {
            val format = json.optString("format")
            val version = json.optInt("format_version")
            if (format != FORMAT) {
                throw BundleException(
                    "This is no bundle: its format is \"$format\", not $FORMAT",
                    code = BundleException.Code.NOT_A_BUNDLE,
                )
            }
            if (version > FORMAT_VERSION) {
                throw BundleException(
                    "The bundle has format version $version, this app knows " +
                        "$FORMAT_VERSION: update the app",
                    code = BundleException.Code.TOO_NEW,
                )
            }
            if (version != FORMAT_VERSION) {
                throw BundleException(
                    "The bundle has format version $version, this app knows " +
                        "$FORMAT_VERSION: export the model again",
                    code = BundleException.Code.TOO_OLD,
                )
            }
        }

        private fun read(json: JSONObject): BundleManifest {
            val id = json.getString("task")
            val task = TaskKind.values().first { it.id == id }
            val labels = json.optJSONArray("labels")
            return BundleManifest(
                task = task,
                taskName = json.textOrNull("task_name"),
                description = json.getString("description").shown(MOST_SHOWN),
                texts = json.getInt("num_texts"),
                labels = labels?.let { array -> List(array.length()) { array.getString(it) } }
                    ?: emptyList(),
                precision = json.getString("precision"),
                parameters = json.getJSONObject("model").getLong("parameters"),
                tokens = json.getJSONObject("model").getLong("vocabulary_size"),
                signatures = signatures(json.getJSONObject("signatures")),
                tokenizer = tokenizer(json.getJSONObject("tokenizer")),
                questions = json.optJSONObject("question_answering")?.let(::questions),
                thresholds = json.optJSONObject("multi_label_classification")
                    ?.getJSONArray("thresholds")?.let { all -> DoubleArray(all.length(), all::getDouble) },
                prompt = json.optJSONObject("sentence_embedding")?.textOrNull("prompt") ?: "",
                calibration = json.optJSONObject("calibration")?.let(::calibration),
                probe = probe(json.getJSONObject("probe")),
                runtimes = json.getJSONObject("runtimes").entries { all, name ->
                    all.textOrNull(name)
                },
                files = json.getJSONObject("files").entries { files, name ->
                    val record = files.getJSONObject(name)
                    FileRecord(record.getLong("bytes"), record.getString("sha256"))
                },
            )
        }

        private fun signatures(json: JSONObject): List<ModelSignature> {
            val signatures = json.entries { all, name ->
                val signature = all.getJSONObject(name)
                ModelSignature(
                    name,
                    signature.getInt("length"),
                    signature.getJSONObject("inputs").entries(::shape),
                    signature.getJSONObject("outputs").entries(::shape),
                )
            }
            return signatures.values.sortedBy { it.length }
        }

        private fun shape(tensors: JSONObject, name: String): IntArray {
            val sizes: JSONArray = tensors.getJSONObject(name).getJSONArray("shape")
            return IntArray(sizes.length()) { sizes.getInt(it) }
        }

        private fun tokenizer(json: JSONObject): TokenizerSettings {
            val ids = json.getJSONObject("special_ids")
            return TokenizerSettings(
                tokenizerKind(json),
                json.getString("vocabulary"),
                separators = json.optInt("separators_between_texts", 1),
                cls = ids.getInt("cls"),
                sep = ids.getInt("sep"),
                pad = ids.getInt("pad"),
                unknown = ids.getInt("unk"),
            )
        }

        private fun tokenizerKind(json: JSONObject) = when (val kind = json.getString("kind")) {
            "wordpiece" -> TokenizerKind.WordPiece(
                wordRules(json.getString("rules")),
                json.getBoolean("lowercase"),
                json.getBoolean("strip_accents"),
                json.getString("suffix_indicator"),
            )
            "sentencepiece" -> TokenizerKind.SentencePiece(json.getInt("id_offset"))
            else -> throw JSONException("tokenizer.kind is $kind")
        }

        private fun wordRules(id: String) = WordRules.values().first { it.id == id }

        private fun questions(json: JSONObject) = QuestionSettings(
            json.getInt("document_stride"),
            json.getInt("max_question_tokens"),
            json.getInt("max_answer_tokens"),
            if (json.isNull("null_threshold")) null else json.getDouble("null_threshold").toFloat(),
        )

        private fun calibration(json: JSONObject) = Calibration(
            json.getDouble("temperature"),
            if (json.isNull("unsure_below")) null else json.getDouble("unsure_below"),
        )

        private fun probe(json: JSONObject): Probe {
            val rows = json.getJSONArray("rows")
            val answers = List(rows.length()) { knownAnswer(rows.getJSONObject(it)) }
            return Probe(json.getDouble("tolerance").toFloat(), answers)
        }

        private fun knownAnswer(json: JSONObject): KnownAnswer {
            val ids = json.getJSONArray("token_ids").ints()
            val segments = json.optJSONArray("segment_ids")?.ints() ?: IntArray(ids.size)
            val outputs = json.getJSONObject("outputs").entries { all, name ->
                val values = all.getJSONArray(name)
                FloatArray(values.length()) { values.getDouble(it).toFloat() }
            }
            return KnownAnswer(ids, segments, outputs)
        }

        private fun JSONArray.ints() = IntArray(length()) { getInt(it) }

        private fun JSONObject.textOrNull(name: String): String? =
            if (isNull(name)) null else getString(name)

        private fun <T> JSONObject.entries(read: (JSONObject, String) -> T): Map<String, T> {
            val entries = LinkedHashMap<String, T>()
            for (name in keys()) entries[name] = read(this, name)
            return entries
        }
    }
}
