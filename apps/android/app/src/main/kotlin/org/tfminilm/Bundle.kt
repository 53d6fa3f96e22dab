package org.tfminilm

import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.charset.CodingErrorAction
import java.security.MessageDigest

/** A model with all that an app needs to run it, checked. */
class Bundle private constructor(
    val manifest: Manifest,
    private val newTokenizer: () -> Tokenizer,
    /** `model.tflite`, mapped into memory. */
    val model: ByteBuffer,
) {
    /** A tokenizer of its own for each thread. */
    fun tokenizer(): Tokenizer = newTokenizer()

    companion object {
        private const val MAX_MANIFEST_BYTES = 1 shl 20
        private const val MAX_VOCABULARY_BYTES = 1 shl 26

        /**
         * Opens a bundle and checks every file's size and SHA-256.
         *
         * @throws BundleException something is missing, damaged, or newer than
         *     this code; its message says what and what to do.
         */
        fun open(files: BundleFiles): Bundle {
            val manifest = Manifest.parse(text(files, Manifest.FILE, MAX_MANIFEST_BYTES))
            val model = mapped(files, manifest)
            val newTokenizer = tokenizers(files, manifest)
            checkSignatures(manifest)
            return Bundle(manifest, newTokenizer, model)
        }

        private fun mapped(files: BundleFiles, manifest: Manifest): ByteBuffer {
            val model = reading(Manifest.MODEL) { files.map(Manifest.MODEL) }
            check(Manifest.MODEL, manifest, model.remaining().toLong()) { it.update(model.duplicate()) }
            return model
        }

        private fun tokenizers(files: BundleFiles, manifest: Manifest): () -> Tokenizer {
            val name = manifest.tokenizer.vocabulary
            if (name.contains('/') || name.contains('\\')) {
                throw BundleException("The vocabulary's name \"$name\" is no plain name")
            }
            val bytes = reading(name) { files.open(name).use { it.upTo(MAX_VOCABULARY_BYTES, name) } }
            check(name, manifest, bytes.size.toLong()) { it.update(bytes) }
            return tokenizers(bytes, manifest.tokenizer)
        }

        private fun tokenizers(file: ByteArray, settings: TokenizerSettings): () -> Tokenizer {
            when (val kind = settings.kind) {
                is TokenizerKind.WordPiece -> with(kind) {
                    val words = decoded(file, settings.vocabulary).removeSuffix("\n").split("\n")
                    checkSpecial(settings, words.size)
                    return {
                        WordPieceTokenizer(
                            words,
                            settings.unknown,
                            rules,
                            lowercase,
                            stripAccents,
                            suffixIndicator,
                        )
                    }
                }
                is TokenizerKind.SentencePiece -> {
                    val model = PieceModel(ByteBuffer.wrap(file))
                    checkSpecial(settings, model.size + kind.idOffset)
                    return { SentencePieceTokenizer(model, settings.unknown, kind.idOffset) }
                }
            }
        }

        private fun checkSpecial(settings: TokenizerSettings, size: Int) = with(settings) {
            val named = mapOf("cls" to cls, "sep" to sep, "pad" to pad, "unk" to unknown)
            for ((name, id) in named) {
                if (id !in 0 until size) {
                    throw BundleException(
                        "The special token $name is $id, outside the vocabulary of $size words",
                    )
                }
            }
        }

        private fun text(files: BundleFiles, name: String, limit: Int): String =
            decoded(reading(name) { files.open(name).use { it.upTo(limit, name) } }, name)

        private fun decoded(bytes: ByteArray, name: String): String = reading(name) {
            Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                .decode(ByteBuffer.wrap(bytes)).toString()
        }

        private fun InputStream.upTo(limit: Int, name: String): ByteArray {
            val found = ByteArrayOutputStream()
            val buffer = ByteArray(1 shl 16)
            while (true) {
                val size = read(buffer)
                if (size < 0) return found.toByteArray()
                found.write(buffer, 0, size)
                if (found.size() > limit) {
                    throw BundleException("$name has more than $limit bytes")
                }
            }
        }

        private fun <T> reading(name: String, read: () -> T): T = try {
            read()
        } catch (error: IOException) {
            throw BundleException("The bundle's $name is missing or cannot be read", error)
        }

        private fun check(
            name: String,
            manifest: Manifest,
            bytes: Long,
            update: (MessageDigest) -> Unit,
        ) {
            val record = manifest.files[name]
                ?: throw BundleException("The bundle's manifest does not list $name")
            if (bytes != record.bytes) {
                throw BundleException(
                    "The bundle's $name has $bytes bytes, its manifest says " +
                        "${record.bytes}: copy the bundle again",
                )
            }
            val digest = MessageDigest.getInstance("SHA-256").also(update).digest()
            if (digest.joinToString("") { "%02x".format(it) } != record.sha256) {
                throw BundleException(
                    "The bundle's $name is not what its manifest describes " +
                        "(another SHA-256): copy the bundle again",
                )
            }
        }

        private fun checkSignatures(manifest: Manifest) {
            val wanted = OUTPUTS.getValue(manifest.task)
            for (signature in manifest.signatures) {
                val row = intArrayOf(1, signature.length)
                val shapes = signature.inputs
                if ("token_ids" !in shapes || shapes.values.any { !it.contentEquals(row) }) {
                    throw BundleException(
                        "The model's ${signature.name} does not take token_ids of shape " +
                            "[1, ${signature.length}]",
                    )
                }
                for (name in wanted - signature.outputs.keys) {
                    throw BundleException("The model's ${signature.name} gives no $name")
                }
            }
            if (manifest.task == Task.QUESTION_ANSWERING) checkQuestions(manifest)
        }

        private fun checkQuestions(manifest: Manifest) {
            val settings = manifest.questions
                ?: throw BundleException("The manifest has no settings for questions")
            val longest = manifest.signatures.last().length
            val taken = settings.maxQuestionTokens + 2 + manifest.tokenizer.separators
            if (taken >= longest) {
                throw BundleException(
                    "A question may take $taken of the model's $longest tokens, which leaves " +
                        "no room for a text: export the model with a longer length",
                )
            }
        }

        private val OUTPUTS = mapOf(
            Task.ENCODER to setOf("sentence_embedding"),
            Task.CLASSIFICATION to setOf("logits"),
            Task.REGRESSION to setOf("logits"),
            Task.QUESTION_ANSWERING to setOf("start_logits", "end_logits"),
        )
    }
}
