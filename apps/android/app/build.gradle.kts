plugins {
    alias(libs.plugins.android)
    alias(libs.plugins.kotlin)
}

android {
    namespace = "org.tfminilm.demo"
    compileSdk = 35

    defaultConfig {
        applicationId = "org.tfminilm.demo"
        minSdk = 26
        targetSdk = 35
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }

    // A compressed model cannot be mapped into memory.
    androidResources { noCompress += "tflite" }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
    testOptions { unitTests.isIncludeAndroidResources = true }

    // The tests of all modules, as those of the screens use the others' parts.
    sourceSets["test"].kotlin.srcDirs(
        "../tokenizers/src/test/kotlin",
        "../litert/src/test/kotlin",
    )
}

dependencies {
    implementation(project(":litert"))
    // Tests without golden vectors: `make test-android` runs all of them.
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
    testImplementation(libs.jna)
    testImplementation(libs.json)
}
