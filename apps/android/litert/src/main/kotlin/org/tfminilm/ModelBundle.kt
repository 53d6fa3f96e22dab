package org.tfminilm

import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.security.MessageDigest

/** A model with all that an app needs to run it, checked. */
class ModelBundle private constructor(
    val manifest: BundleManifest,
    private val newTokenizer: () -> Tokenizer,
    /** `model.tflite`, mapped into memory. */
    val model: ByteBuffer,
) {
    /** A tokenizer of its own for each thread. */
    @Throws(BundleException::class)
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
        @JvmStatic
        @Throws(BundleException::class)
        fun open(files: BundleFiles): ModelBundle {
            val manifest = manifest(files)
            val model = mapped(files, manifest)
            val newTokenizer = tokenizers(files, manifest)
            return ModelBundle(manifest, newTokenizer, model)
        }

        /** What a bundle says of itself; no other file is looked at. */
        @JvmStatic
        @Throws(BundleException::class)
        fun manifest(files: BundleFiles): BundleManifest =
            BundleManifest.parse(text(files, BundleManifest.FILE, MAX_MANIFEST_BYTES))

        private fun mapped(files: BundleFiles, manifest: BundleManifest): ByteBuffer {
            val model = reading(BundleManifest.MODEL) { files.map(BundleManifest.MODEL) }
            check(BundleManifest.MODEL, manifest, model.remaining().toLong()) { it.update(model.duplicate()) }
            return model
        }

        private fun tokenizers(files: BundleFiles, manifest: BundleManifest): () -> Tokenizer {
            val name = manifest.tokenizer.vocabulary
            val bytes = reading(name) { files.open(name).use { it.upTo(MAX_VOCABULARY_BYTES, name) } }
            check(name, manifest, bytes.size.toLong()) { it.update(bytes) }
            return tokenizers(bytes, manifest.tokenizer, manifest.tokens)
        }

        private fun tokenizers(
            file: ByteArray,
            settings: TokenizerSettings,
            rows: Long,
        ): () -> Tokenizer {
            when (val kind = settings.kind) {
                is TokenizerKind.WordPiece -> with(kind) {
                    val words = WordPieceVocabulary.read(
                        decoded(file, settings.vocabulary),
                        suffixIndicator,
                    )
                    checkSize(settings, words.size, rows)
                    return {
                        WordPieceTokenizer(words, settings.unknown, rules, lowercase, stripAccents)
                    }
                }
                is TokenizerKind.SentencePiece -> {
                    val model = PieceModel(ByteBuffer.wrap(file))
                    if (model.unknown != 0) {
                        throw BundleException(
                            "The bundle's SentencePiece model is not laid out as XLM-R's: " +
                                "its first piece is not the unknown one; export another one",
                            code = BundleException.Code.UNSUPPORTED,
                        )
                    }
                    checkSize(settings, model.size + kind.idOffset, rows)
                    return { SentencePieceTokenizer(model, settings.unknown, kind.idOffset) }
                }
            }
        }

        private fun checkSize(settings: TokenizerSettings, size: Int, rows: Long) = with(settings) {
            if (size > rows) {
                throw BundleException(
                    "The vocabulary has $size words, the model $rows: export the model again",
                )
            }
            val named = mapOf("cls" to cls, "sep" to sep, "pad" to pad, "unk" to unknown)
            for ((name, id) in named) {
                if (id >= size) {
                    throw BundleException(
                        "The special token $name is $id, outside the vocabulary of $size words",
                    )
                }
            }
        }

        private fun text(files: BundleFiles, name: String, limit: Int): String =
            decoded(reading(name) { files.open(name).use { it.upTo(limit, name) } }, name)

        private fun decoded(bytes: ByteArray, name: String): String = reading(name) {
            Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString()
        }

        private fun InputStream.upTo(limit: Int, name: String): ByteArray {
            val content = ByteArrayOutputStream()
            val buffer = ByteArray(1 shl 16)
            while (true) {
                val size = read(buffer)
                if (size < 0) return content.toByteArray()
                content.write(buffer, 0, size)
                if (content.size() > limit) {
                    throw BundleException("$name has more than $limit bytes", code = BundleException.Code.TOO_LARGE)
                }
            }
        }

        private fun <T> reading(name: String, read: () -> T): T = try {
            read()
        } catch (error: IOException) {
            throw BundleException(
                "The bundle's $name is missing or cannot be read",
                error,
                BundleException.Code.UNREADABLE,
            )
        }

        private fun check(
            name: String,
            manifest: BundleManifest,
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
    }
}
